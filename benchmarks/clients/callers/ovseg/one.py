from ovseg_client import Client

result = Client().segment("photo.jpg", boxes=[[140, 10, 305, 180]])
