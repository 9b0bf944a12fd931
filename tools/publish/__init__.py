"""Reader, student and instructor notebooks, and an nbgrader course, from the chapters of the book.

``python -m tools.publish`` is the command. It runs after ``make book``, because numbers of figures
and equations, addresses of pages and values in the prose are those of the built book.
"""
