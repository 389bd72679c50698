project_id = "from-a"
suffix     = "a"
