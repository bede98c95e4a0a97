pragma circom 2.0.0;
template L(){signal input a; signal input b[2]; signal output c; log("a is", a, "and b", b[0], b[1]); log(a+1); log("only text"); log(); c <== a*b[0]; assert(b[1] != 7); log("after", c);}
component main=L();
