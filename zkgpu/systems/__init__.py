"""The proof systems by name: what each can do, and the files of any of them, which say what they are for."""
