"""The swap inside other people's pipelines: one host library a file, which nothing else imports.

A plug draws a donor, then applies it, as its host does; no name is handed on here, for that would import
every host.
"""
