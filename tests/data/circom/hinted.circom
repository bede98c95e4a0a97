pragma circom 2.0.0;
template N(){signal input x; signal y; y <-- x*x; }
component main=N();
