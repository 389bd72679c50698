project_id = "from-b"
