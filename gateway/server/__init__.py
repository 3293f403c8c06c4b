"""gunicorn's ASGI worker in front of a Flask application.

An event loop reads requests and writes answers, so that a slow client costs a socket and no thread. A thread is used
only while Flask computes an answer to a request that has been read to its end.
"""
