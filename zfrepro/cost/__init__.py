"""What a study costs before anybody runs it: operations, memory, disk and time.

Operations, weights and disk are counted. Time is measured on this machine, or estimated from a
GPU's published peak; memory is estimated.
"""
