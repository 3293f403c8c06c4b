-- Whether an embedding was wanted by others since it is being made, or lately. ARGV: key.
return redis.call('HEXISTS', key('embedding:' .. ARGV[1]), 'wanted')
