"""archc: compile one YAML description of a network to TensorFlow and PyTorch source."""

__version__ = "0.1.0"
