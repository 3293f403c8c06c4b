import fal_client

url = fal_client.upload_file("photo.jpg")
result = fal_client.subscribe("me/segment", {"image_url": url, "box": [140, 10, 305, 180]})
