"""Making what happens by chance in a shell script happen every time."""

# For BASH_ENV: a script's child has ended before the script first asks whether it is there, which
# happens only by chance otherwise.
CHILD_ENDS_FIRST = """
set -T
trap '[[ $BASH_COMMAND != kill* ]] || while [[ -d /proc/$child ]]; do :; done' DEBUG
"""
