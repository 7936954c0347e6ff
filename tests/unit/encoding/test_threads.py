"""Structs that several threads meet for the first time at once. In a process of its own: it would crash."""

import subprocess
import sys

PROGRAM = """
import sys, threading
import msgspec
from typing import Annotated
from quorate.encoding import Canonical, decode, encode

sys.setswitchinterval(1e-6)
SOURCE = '''
class A(Canonical, frozen=True):
    a: Annotated[int, msgspec.Meta(ge=0)]
class B(Canonical, frozen=True):
    b: tuple[A, ...]
    c: Annotated[bytes, msgspec.Meta(max_length=4)]
class C(Canonical, frozen=True):
    d: tuple[tuple[int, B], ...]
'''
for _ in range(100):
    made = {**globals()}
    module = type(sys)(f"fresh{_}")
    module.__dict__.update(made, __name__=module.__name__)
    sys.modules[module.__name__] = module
    exec(SOURCE, module.__dict__)
    data = encode(module.C(((1, module.B((module.A(1),), b"x")),)))
    together = threading.Barrier(4)

    def read() -> None:
        together.wait()
        decode(module.C, data)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_meet_a_struct_together() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
