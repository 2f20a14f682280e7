"""The TA's tools: release the student copies, run the solutions, grade a class."""

RESULT = "application/vnd.labutils.result+json"  # what a check found, on its way out of the kernel
