pragma circom 2.0.0;
template T(){signal input x;signal output y;y<--x*x*x+x+5;y===35;} component main=T();
