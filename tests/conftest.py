"""Settings for every test."""

from hypothesis import HealthCheck, settings

# Laws, not times: a busy machine must not fail a test.
settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("laws")
