"""Floor 4, the bank room: payment orders out, statements in, and a simulated bank that speaks the same files.

Nothing here holds anyone's money: the tables mirror accounts that a bank keeps and record what its files prove.
"""
