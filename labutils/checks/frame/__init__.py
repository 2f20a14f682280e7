"""The frame around every check: an exercise, safe ways to try an answer, and limits."""
