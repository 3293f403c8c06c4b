import replicate

result = replicate.run("me/segment", input={"image": open("photo.jpg", "rb"), "box": [140, 10, 305, 180]})
