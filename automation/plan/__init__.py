"""What the program would register for a stack, without engine, cluster or credentials.

The program runs under the recorder, in a process of its own; what AWS would tell, and what is encrypted, is stood in
for. What leaves that process is masked.
"""
