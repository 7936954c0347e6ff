"""A first wallet, and a payment signed with it. Run `quorate up` before."""

import quorate

with quorate.connect() as device:
    wallet = device.create_wallet("server")
    payment = {"chainId": 1, "nonce": 0, "to": "0x1111111111111111111111111111111111111111", "value": 10**15}
    fees = {"gas": 21000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
    signed = wallet.sign_transaction(payment | fees)
    print(wallet.address, signed.id)
