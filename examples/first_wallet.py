"""A first wallet, and a message in its name that anybody can check. Run `quorate up` before."""

import quorate

with quorate.connect() as device:
    wallet = device.create_wallet("server")
    print(wallet.address)
    print(wallet.sign_message("Hello from a wallet that nobody can take alone").raw.hex())
