"""`quorate bench`: what is claimed about speed, measured where it is claimed.

`harness` runs parties in one thread and counts; `ecdsa` and `processes` are the cases' contents, `cases`
their registry, `report` their figures. Timings are medians; compare figures of one run with each other, since
two machines, or one machine on two days, differ by more than most changes do.
"""
