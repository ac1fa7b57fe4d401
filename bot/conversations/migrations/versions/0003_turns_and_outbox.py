"""turns, the outbox of deliveries, addresses on channels"""

import sqlalchemy as sa
from alembic import op

from bot.conversations.database import UtcDateTime

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('addresses',
    sa.Column('channel', sa.String(length=32), nullable=False),
    sa.Column('address', sa.String(length=255), nullable=False),
    sa.Column('customer_id', sa.String(length=32), nullable=False),
    sa.Column('created_at', UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], ),
    sa.PrimaryKeyConstraint('channel', 'address')
    )
    op.create_index(op.f('ix_addresses_customer_id'), 'addresses', ['customer_id'], unique=False)
    op.create_table('channel_leases',
    sa.Column('channel', sa.String(length=32), nullable=False),
    sa.Column('token', sa.BigInteger(), nullable=False),
    sa.Column('leased_until', UtcDateTime(), nullable=True),
    sa.Column('leased_by', sa.String(length=255), nullable=True),
    sa.PrimaryKeyConstraint('channel')
    )
    op.create_table('turns',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('conversation_id', sa.String(length=32), nullable=False),
    sa.Column('customer_id', sa.String(length=32), nullable=False),
    sa.Column('last_seq', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('problem', sa.String(length=500), nullable=True),
    sa.Column('trace', sa.JSON(), nullable=False),
    sa.Column('begun_at', UtcDateTime(), nullable=False),
    sa.Column('ended_at', UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('one_open_turn', 'turns', ['conversation_id'], unique=True, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
    op.create_index('dead_letters', 'turns', ['ended_at'], unique=False, sqlite_where=sa.text("state = 'dead'"), postgresql_where=sa.text("state = 'dead'"))
    op.create_index('turns_of_conversation', 'turns', ['conversation_id', 'last_seq'], unique=False)
    op.add_column('conversations', sa.Column('topic', sa.Text(), nullable=True))
    op.drop_index(op.f('ix_conversations_owner'), table_name='conversations')
    op.drop_index(op.f('ix_conversations_turn_due_at'), table_name='conversations')
    op.create_index('due_conversations', 'conversations', ['turn_due_at'], unique=False, sqlite_where=sa.text('turn_due_at IS NOT NULL'), postgresql_where=sa.text('turn_due_at IS NOT NULL'))
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('turn_id', sa.String(length=32), nullable=True))
        batch_op.drop_column('attempts')
    op.create_index('pending_messages', 'messages', ['conversation_id', 'seq'], unique=False, sqlite_where=sa.text('pending = 1'), postgresql_where=sa.text('pending'))
    op.add_column('deliveries', sa.Column('is_tip', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('deliveries', sa.Column('tries', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('deliveries', sa.Column('due_at', UtcDateTime(), nullable=True))
    op.add_column('deliveries', sa.Column('problem', sa.String(length=500), nullable=True))
    op.add_column('deliveries', sa.Column('receipt', sa.String(length=255), nullable=True))
    # What a web page has not fetched yet has been sent as far as can be.
    op.execute("UPDATE deliveries SET due_at = updated_at, state = CASE state WHEN 'pending' THEN 'sent' ELSE state END")
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.alter_column('due_at', existing_type=UtcDateTime(), nullable=False)
        batch_op.alter_column('is_tip', existing_type=sa.Boolean(), server_default=None)
        batch_op.alter_column('tries', existing_type=sa.Integer(), server_default=None)
    op.create_index('deliveries_to_send', 'deliveries', ['channel', 'due_at'], unique=False, sqlite_where=sa.text("state IN ('pending', 'attempting')"), postgresql_where=sa.text("state IN ('pending', 'attempting')"))
    op.create_index('failed_deliveries', 'deliveries', ['updated_at'], unique=False, sqlite_where=sa.text("state IN ('failed', 'unknown')"), postgresql_where=sa.text("state IN ('failed', 'unknown')"))
    op.create_index('unfinished_deliveries', 'deliveries', ['channel', 'customer_id', 'seq'], unique=False, sqlite_where=sa.text("state IN ('pending', 'attempting')"), postgresql_where=sa.text("state IN ('pending', 'attempting')"))
    op.create_index('deliveries_by_receipt', 'deliveries', ['channel', 'receipt'], unique=False, sqlite_where=sa.text('receipt IS NOT NULL'), postgresql_where=sa.text('receipt IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('failed_deliveries', table_name='deliveries')
    op.drop_index('unfinished_deliveries', table_name='deliveries')
    op.drop_index('deliveries_by_receipt', table_name='deliveries')
    op.drop_index('deliveries_to_send', table_name='deliveries')
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        for name in ('receipt', 'problem', 'due_at', 'tries', 'is_tip'):
            batch_op.drop_column(name)
    op.drop_index('pending_messages', table_name='messages')
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('attempts', sa.Integer(), nullable=False, server_default='0'))
        batch_op.drop_column('turn_id')
    op.drop_index('due_conversations', table_name='conversations')
    op.create_index(op.f('ix_conversations_owner'), 'conversations', ['owner'], unique=False)
    op.create_index(op.f('ix_conversations_turn_due_at'), 'conversations', ['turn_due_at'], unique=False)
    op.drop_column('conversations', 'topic')
    op.drop_table('turns')
    op.drop_table('channel_leases')
    op.drop_index(op.f('ix_addresses_customer_id'), table_name='addresses')
    op.drop_table('addresses')
