"""How nbgrader finds this course: solutions are the source, exercises what is handed out."""

c = get_config()  # noqa: F821 - nbgrader's

c.CourseDirectory.course_id = "nanogpt"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("your code here")'}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.OverwriteCells.add_missing_cells = True  # a locked cell that a student deleted comes back

# Whose a file is that zip_collect finds. What fits no line below is left out with a warning, and so is a notebook that
# isn't called as the exercise is. Compare the folders in submitted/ with your list of students all the same.
#   plain:   s01_attention.ipynb                                        -> s01, letters and digits
#   Canvas:  lastfirst_12345_67890_attention.ipynb, with LATE_ or -1    -> 12345, the user's number
#   Moodle:  Full Name_12345_assignsubmission_file_/attention.ipynb     -> 12345, the participant's number, which is
#            another one in each assignment: its grading worksheet says whose
c.ZipCollectApp.strict = True
c.FileNameCollectorPlugin.named_regexp = r"""(?x)
    (?: (?! [^/\\]*assignsubmission_file_?[/\\] ) [^/\\]*[/\\] )+  # folders, but Moodle's, whose name says whose;
    (?P<name> [^_/\\]+_ (?:LATE_)? )?                         # Canvas and Moodle put a name first,
    (?P<student_id> (?(name) [0-9]+ | [A-Za-z0-9]+ ) )_       # and a number after it;
    (?(name) (?: [0-9]+_ | assignsubmission_file_?[/\\] ) )   # then the file's number, or the folder's end
    (?P<file_id> [a-z0-9]+ ) (?:-[0-9]+)? \.ipynb $           # -1 is a second attempt on Canvas
"""
