pragma circom 2.0.0;
template L(){signal input a; signal input b[2]; signal output c; log(a); log(a+1); c <== a*b[0]; assert(b[1] != 7); log(c);}
component main=L();
