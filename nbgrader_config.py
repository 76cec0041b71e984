"""How nbgrader finds this course: solutions are the source, exercises what is handed out."""

c = get_config()  # noqa: F821 - nbgrader's

c.CourseDirectory.course_id = "nanogpt"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("your code here")'}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.OverwriteCells.add_missing_cells = True
