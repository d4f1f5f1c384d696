#!lua flags=allow-oom
-- Everyone registered. A script that does not say that it only reads is run by a primary alone: the registry of a node that lags behind may
-- lack those who hold leases.
--
-- KEYS  leases
return redis.call('HGETALL', KEYS[1])
