"""`ovseg models check`: does a model that is installed here find the objects of a photo that everyone knows?"""
