"""Grading a class without a server: ``python -m xai_course.grading COURSE``.

A submission runs alone, where it can harm nobody (`sandbox`, `worker`). Its answers are called from
outside and come back as data (`wire`), and the book's checks and the hidden tests compare them in
the grader's own process (`grade`). `course` reads what a course folder holds, `pages` and `marks`
write what people get.

Explained on the page *teaching*.
"""
