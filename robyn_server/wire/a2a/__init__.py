"""The Agent2Agent protocol: what its messages, tasks and cards look like. Pure.

`dialect` names methods, roles and states; `incoming` reads a message; `history` tells a conversation; `task` makes the
documents and updates of a task; `card` describes an assistant.
"""
