#!/bin/sh
# Makes contracts/Verifier.sol, and the proof that the test sends: that the model of `zkgpu samples` reads a 3, for one
# sender. For a model of your own give its files, and powers of a ceremony. Needs zkgpu: pip install 'zkgpu[onnx]'
set -eu
cd "$(dirname "$0")"
sender=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266

zkgpu samples made --force
zkgpu zkml compile made/model.onnx --calibrate made/data.npz --bind 20 -o made/build
zkgpu zkml setup made/build made/pot.ptau
zkgpu zkml prove made/build made/input.npz --binding "$sender" -o test/proof.json

cp made/build/Verifier.sol contracts/
cp made/build/verification_key.json made/build/statement.json test/
zkgpu export calldata test/public.json test/proof.json --hex > test/calldata.txt
