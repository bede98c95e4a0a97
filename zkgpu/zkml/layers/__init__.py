"""Operations as constraints: every layer constrains its output to what `semantics` computes, and to nothing else."""
