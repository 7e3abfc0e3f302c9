"""The generated parts of docs/*.md, each from the code that it describes."""
