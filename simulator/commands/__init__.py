"""The command line: one file a command, each a `describe` and an `execute`.

    main        which command, and what its outcome is to a shell
    sandbox     where experiments are found, and how they are loaded
    run replay check list copy
    terminal    colours, where there is a terminal

Rule 1: an exit code is an answer. 0: kept, or as declared. 1: broken, or not as declared. 2:
cannot tell. 64: the command line is wrong. 65: a file is. 70: we are.
Rule 2: what the user did wrong is one line on stderr, and never a traceback.
Rule 3: a command imports what it needs when it is executed, so that `--help` is quick.
"""
