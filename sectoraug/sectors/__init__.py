"""Where is the sector?"""
