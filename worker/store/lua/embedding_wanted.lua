-- Return 1 if another worker needs the embedding that is being made, or if a worker needed it recently. ARGV: key.
return redis.call('HEXISTS', key('embedding:', ARGV[1]), 'wanted')
