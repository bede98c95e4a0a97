"""How the tables of the register machine are laid out."""

MAX_ARGUMENTS = 4
# columns of Machine.headers
FIRST_GROUP, END_GROUP, FIRST_RESULT, READS, WRITES = 0, 1, 2, 3, 3 + MAX_ARGUMENTS
MULTIPLY, ADD = 0, 1  # opcodes; any other subtracts
