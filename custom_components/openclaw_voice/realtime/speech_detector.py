"""What tells speech from noise: Home Assistant's own detector."""

from homeassistant.components.assist_pipeline.audio_enhancer import MicroVadSpeexEnhancer

from .end_of_speech import Detector


def speech_detector() -> Detector:
    """Return a detector that has heard nothing yet."""
    enhancer = MicroVadSpeexEnhancer(0, 0, is_vad_enabled=True)
    return lambda pcm: enhancer.enhance_chunk(pcm, 0).speech_probability or 0.0
