"""Real faults: processes that are killed, system calls that fail, disks that fill or lose power."""
