from inference_sdk import InferenceHTTPClient

client = InferenceHTTPClient(api_url="http://localhost:9001", api_key="key")
result = client.sam2_segment_image("photo.jpg", [{"box": {"x": 222.5, "y": 95, "width": 165, "height": 170}}])
