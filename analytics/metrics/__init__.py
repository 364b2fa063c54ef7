"""What /metrics tells: the state of the whole system, read from PostgreSQL and the broker when it is asked for.

No process counts anything for it: web workers come and go and each would tell another number.
"""
