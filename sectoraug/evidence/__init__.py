"""Did it work?"""
