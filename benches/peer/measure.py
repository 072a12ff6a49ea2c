"""Measures CPU and wall time of a piece of work in this process, libraries' threads included."""

import json
import resource
import time


class Measured:
    """Prints a JSON object when the work ends: its name, number of posts, times, and posts a second of one core."""

    def __init__(self, name):
        self.name, self.posts = name, 0

    def __enter__(self):
        self.cpu, self.wall = _cpu(), time.monotonic()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            cpu, wall = _cpu() - self.cpu, time.monotonic() - self.wall
            print(json.dumps({
                "name": self.name,
                "posts": self.posts,
                "cpu_seconds": round(cpu, 3),
                "wall_seconds": round(wall, 3),
                "posts_a_second_a_core": round(self.posts / cpu),
                "microseconds_a_post": round(cpu / self.posts * 1e6, 1),
            }), flush=True)


def _cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
