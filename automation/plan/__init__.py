"""What the program would register for a stack, without engine, cluster or credentials.

The program runs under the recorder in a process of its own. Stand-ins replace what AWS would answer and what is
encrypted. Everything that leaves the process is masked.
"""
