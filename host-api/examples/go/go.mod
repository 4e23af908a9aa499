module example.org/inference

go 1.19
