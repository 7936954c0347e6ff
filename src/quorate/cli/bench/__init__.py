"""`quorate bench`: what is claimed about speed, measured where it is claimed.

`harness` runs parties in one thread and counts, `seats` gives each node a process of its own; `ecdsa`,
`committee` and `processes` are the cases' contents, `cases` their registry, `report` and `plot` their
figures. Timings are medians; compare figures of one run with each other, since two machines, or one machine
on two days, differ by more than most changes do.
"""
