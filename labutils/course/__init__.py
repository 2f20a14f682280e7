"""The TA's tools: release the student copies, run the solutions, grade a class."""
