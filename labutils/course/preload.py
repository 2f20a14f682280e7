"""What the processes that grade have loaded before they start. Imported for its effect."""

import nbgrader.converters  # noqa: F401
import nbgrader.coursedir  # noqa: F401

import labutils.course.autograde  # noqa: F401
import labutils.course.sandbox  # noqa: F401
