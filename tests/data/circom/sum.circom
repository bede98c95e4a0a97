pragma circom 2.0.0;
template N(){signal input x; signal input z; signal y; y <== x + z; }
component main=N();
