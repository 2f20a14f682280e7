"""A grader that runs nothing, for tests of what stands around it. Its processes are real."""

import os
import time

import nbformat

from labutils.course.rebuild import exercise_points


def grade(job) -> dict:
    """Full points for every answer that is not the stub; does what a ``do:`` line asks for.

    Beside the class's folder it keeps a ``log`` of what it graded; a file ``wait`` there makes it
    wait. (The environment is no way to tell it: its processes have that of the first test.)
    """
    text = job.submission.read_text("utf-8")
    folder = job.submission.parents[1]
    if job.submission.parent.name != "solutions":
        with (folder / "log").open("a") as log:
            log.write(job.submission.name + "\n")
    if "do: die" in text:
        os._exit(1)
    if "do: raise" in text:
        raise RuntimeError("this one is odd")
    while "do: wait" in text and (folder / "wait").exists():
        time.sleep(0.05)
    right = "# your code goes here" not in text
    exercises = {
        name: {
            "max": most, "points": most * right, "status": "right" if right else "blank",
            "message": "", "hint": "",
        }
        for name, most in exercise_points(nbformat.reads(job.template, as_version=4)).items()
    }  # fmt: skip
    points = sum(e["points"] for e in exercises.values())
    return {"points": points, "exercises": exercises, "notes": [], "look": [], "seconds": 0.0}
