pragma circom 2.0.0;
template Sub(){signal input p; signal input q; signal output o; signal m; m <== p*p; o <== m + 3*q;}
template U(){signal input a;signal input b; signal input unused; signal input c; signal input d[2]; signal output y; signal output z; component s=Sub(); s.p<==a; s.q<==c; y<==s.o*b; z <== a+b;  a === unused + b; signal t; t<==b*d[0]; t === d[1] + c; } component main {public [c]}=U();
